/* Where in a ring a frame begins: `first` in the cycle with load, FRAME bytes behind that of the frame before, OFFSET aside. */
module s2c_frames #(
    parameter ADDRESS = 1,
    parameter [ADDRESS-1:0] FRAME = 1,
    parameter [ADDRESS-1:0] OFFSET = 0
) (
    input wire clock,
    input wire reset,
    input wire load,
    output wire [ADDRESS-1:0] first
);
    reg [ADDRESS-1:0] start = 0;

    assign first = start + OFFSET;

    always @(posedge clock)
        if (reset) start <= 0;
        else if (load) start <= start + FRAME;
endmodule
