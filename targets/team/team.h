/* Threads that run a net together. Take one team for as long as the program runs; it starts its threads once.
   net_team_run gives the bits that net_run gives, and neither locks, allocates nor asks the system for anything, unless
   the threads have gone to sleep: after a while without work they do. One run of a team at a time. */
#ifndef NET_TEAM_H
#define NET_TEAM_H
#include "net.h"

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A cache line, written by one thread and watched by others. */
typedef struct {
    uint64_t value;
    unsigned char rest[56];
} __attribute__((aligned(64))) net_line;

typedef struct net_team net_team;

typedef struct {
    net_team *team;
    int32_t part;
} net_member;

struct net_team {
    net_line stage;               /* counts the calls that were shared; a new value calls the threads */
    net_line done;                /* counts the parts that were computed */
    net_line claims[NET_THREADS]; /* the stage in which somebody last took this part */
    void *arena;
    int32_t ends;
    int32_t sleeping;
    int32_t started;
    net_member members[NET_THREADS];
    pthread_t threads[NET_THREADS];
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

/* 0, or the error number of the thread that could not be started; then none runs. */
int net_team_start(net_team *team);
void net_team_run(net_team *team, void *arena);
void net_team_stop(net_team *team);
/* sizeof(net_team), for callers that have no C compiler. */
uint64_t net_team_bytes(void);

#ifdef __cplusplus
}
#endif

#endif
