/* The bytes of a step, one cycle later. */
module s2c_reader #(
    parameter BYTES = 1
) (
    input wire clock,
    input wire enable,
    input wire [8*BYTES-1:0] bytes,
    output reg [8*BYTES-1:0] x
);
    initial x = 0;

    always @(posedge clock) if (enable) x <= bytes;
endmodule
