/* A pulse, CYCLES later. The next may come in the cycle in which it goes, and no sooner. */
module s2c_token #(
    parameter CYCLES = 1,
    parameter BITS = 1
) (
    input wire clock,
    input wire reset,
    input wire early,
    output wire late
);
    localparam [31:0] ALL = CYCLES;

    reg [BITS-1:0] left = 0;

    assign late = left == {{(BITS - 1) {1'b0}}, 1'b1};

    always @(posedge clock)
        if (reset) left <= 0;
        else if (early) left <= ALL[BITS-1:0];
        else if (left != 0) left <= left - 1'b1;
endmodule
