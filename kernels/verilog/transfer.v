/* Whose turn it is of several inputs, or outputs, and which byte: in a cycle with `moves` one of its BYTES is
   taken, or given, whose place in the rings is `place`; ends: it is the frame's last of these, and from the next cycle on it is the
   turn of the one behind, which has this as its `begins`. It is the turn of the one with FIRST at the start. */
module s2c_transfer #(
    parameter BYTES = 1,
    parameter BITS = 1,
    parameter ADDRESS = 1,
    parameter FIRST = 0
) (
    input wire clock,
    input wire reset,
    input wire move,
    input wire begins,
    output reg turn,
    output wire moves,
    output wire ends,
    output reg [ADDRESS-1:0] place
);
    localparam [31:0] LAST = BYTES - 1;

    reg [BITS-1:0] left;

    assign moves = move & turn;
    assign ends = moves & (left == 0);

    initial begin
        turn = FIRST != 0;
        left = LAST[BITS-1:0];
        place = 0;
    end

    always @(posedge clock)
        if (reset) begin
            turn <= FIRST != 0;
            left <= LAST[BITS-1:0];
            place <= 0;
        end else begin
            turn <= begins | (turn & ~ends);
            if (moves) left <= ends ? LAST[BITS-1:0] : left - 1'b1;
            if (moves) place <= place + 1'b1;
        end
endmodule
