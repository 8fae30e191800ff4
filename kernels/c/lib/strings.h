/* The bytes of an array as strings, which compilers read far faster than numbers. The last byte of a string is no NUL,
   and newer compilers want to be told. */
#ifndef S2C_STRINGS_H
#define S2C_STRINGS_H
#include "base.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the constants of this net are laid out for little-endian processors"
#endif

#if defined(__GNUC__) && (__clang_major__ >= 21 || __GNUC__ >= 15)
#define S2C_STRING(name, extents) unsigned char name extents __attribute__((nonstring))
#else
#define S2C_STRING(name, extents) unsigned char name extents
#endif

#endif
