/* softmax on int8.
   computes: softmax_i8 in place a
*/
