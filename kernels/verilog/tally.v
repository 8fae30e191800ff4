/* How many frames came and have not gone, as of the cycle before: whether there are any, or MOST, which they never exceed. */
module s2c_tally #(
    parameter MOST = 1,
    parameter BITS = 1
) (
    input wire clock,
    input wire reset,
    input wire came,
    input wire gone,
    output wire any,
    output wire full
);
    localparam [31:0] ALL = MOST;

    reg [BITS-1:0] count = 0;

    assign any = count != 0;
    assign full = count == ALL[BITS-1:0];

    always @(posedge clock)
        if (reset) count <= 0;
        else if (came & ~gone) count <= count + 1'b1;
        else if (gone & ~came) count <= count - 1'b1;
endmodule
