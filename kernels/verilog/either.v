/* The operands of an addition: those of a tile's first step come from ring a, those of its second from b. first is that of the step
   whose address stood at the ports two cycles before. */
module s2c_either #(
    parameter BYTES = 1
) (
    input wire clock,
    input wire first,
    input wire [8*BYTES-1:0] a,
    input wire [8*BYTES-1:0] b,
    output wire [8*BYTES-1:0] bytes
);
    reg [1:0] firsts = 0;

    assign bytes = firsts[1] ? a : b;

    always @(posedge clock) firsts <= {firsts[0], first};
endmodule
