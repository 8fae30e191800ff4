/* The back half's control. load is 1 in cycle t + 5 of a tile's last step t, and take, too, where the tile is the first of its call;
   the outputs are of cycle t + 6 + k. phase_mask: cycles for each beat, less one. last_cycle: of a tile's results. tiles: of a
   row, less one. begins and beat: the first and last cycle of a beat; tile_end, row_end: of the last beat of a tile, of a
   row. word: the address of the beat's parameters: by_beat, they change with each beat, by_row with each row. */
module s2c_beats #(
    parameter CYCLE = 1,
    parameter TILE = 1,
    parameter WORD = 1
) (
    input wire clock,
    input wire reset,
    input wire load,
    input wire take,
    input wire [TILE-1:0] next_tiles,
    input wire [WORD-1:0] next_params,
    input wire [TILE-1:0] tiles,
    input wire [WORD-1:0] params,
    input wire by_beat,
    input wire by_row,
    input wire [CYCLE-1:0] last_cycle,
    input wire [CYCLE-1:0] phase_mask,
    output wire begins,
    output wire beat,
    output wire tile_end,
    output wire row_end,
    output reg [WORD-1:0] word
);
    reg draining;
    reg [CYCLE-1:0] cycle;
    reg [TILE-1:0] tile;

    assign begins = (cycle & phase_mask) == 0;
    assign beat = draining & ((cycle & phase_mask) == phase_mask);
    assign tile_end = draining & (cycle == last_cycle);
    assign row_end = tile_end & (tile == 0);

    initial begin
        draining = 0;
        cycle = 0;
        tile = 0;
        word = 0;
    end

    always @(posedge clock) begin
        if (reset) draining <= 0;
        else draining <= load | (draining & ~tile_end);

        if (load) cycle <= 0;
        else cycle <= cycle + 1'b1;

        if (take) tile <= next_tiles;
        else if (tile_end) tile <= row_end ? tiles : tile - 1'b1;

        if (take) word <= next_params;
        else if (by_beat & row_end) word <= params;
        else if ((by_beat & beat) | (by_row & row_end)) word <= word + 1'b1;
    end
endmodule
