/* P lanes that multiply and add, or keep the largest.
   computes: average_pool_i8
   computes: gather_i8
   computes: insert_i8 in place a
   computes: matmul_i8
   computes: max_i8
   computes: relu_i8 in place a
   computes: window_matmul_i8 where window_groups == groups
   computes: window_max_i8 where window_groups == channels and size == kernel_height * kernel_width
*/
