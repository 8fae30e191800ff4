/* Sums of table entries.
   computes: add_i8 in place a
   computes: map_i8 in place a
   computes: recenter_i8_u8 in place a
   computes: recenter_u8_i8 in place a
*/
