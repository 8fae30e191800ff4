/* When a stage of a stream takes its steps. load is 1 in the cycle before a frame's first step, at the earliest in that of the last
   step of the frame before, or in the last idle one behind it; from then on a step goes in each cycle, but for `gap` behind
   each tile. A tile's first and last step are marked; opens: last of the frame's first tile. word: of weights, or a tile's table. */
module s2c_pace #(
    parameter LOOPS = 1,
    parameter IDLE = 1,
    parameter WORD = 1
) (
    input wire clock,
    input wire reset,
    input wire load,
    input wire [LOOPS-1:0] at_end,
    input wire [WORD-1:0] words,
    input wire [LOOPS-1:0] tile_loops,
    input wire [LOOPS-1:0] row_loops,
    input wire [IDLE-1:0] gap,
    output wire step,
    output reg first,
    output wire last,
    output wire opens,
    output reg [WORD-1:0] word
);
    reg running;
    reg [IDLE-1:0] idle;
    reg in_first_tile;
    wire tile_ends = &(at_end | ~tile_loops);

    assign step = running & (idle == 0);
    assign last = step & tile_ends;
    assign opens = last & in_first_tile;

    initial begin
        running = 0;
        idle = 0;
        first = 0;
        in_first_tile = 0;
        word = 0;
    end

    always @(posedge clock) begin
        if (reset) running <= 0;
        else running <= load | (running & ~(step & (&at_end)));

        if (load) idle <= 0;
        else if (last) idle <= gap;
        else if (idle != 0) idle <= idle - 1'b1;

        if (load) first <= 1;
        else if (step) first <= tile_ends;

        if (load) in_first_tile <= 1;
        else if (last) in_first_tile <= 0;

        if (load) word <= words;
        else if (step) word <= &(at_end | ~row_loops) ? words : word + 1'b1;
    end
endmodule
