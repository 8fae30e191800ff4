/* Where results go. beat, tile_end and row_end are those of t + 6 + k, nine cycles later; results are bytes of t + 15 + k; the
   arena's write port has them in t + 16 + k. A beat writes up to `take` of a group's `columns`; a group ends with a tile. Behind a
   row come `skip` bytes that stay. Bytes of an input go the same way: one with each cycle with `accept`; `single` says that
   the next is the last. load: the next call's, or input's, fields are in force from the next cycle on. */
module s2c_writer #(
    parameter RESULTS = 1,
    parameter COUNT = 1,
    parameter ADDRESS = 1,
    parameter COLUMNS = 1
) (
    input wire clock,
    input wire load,
    input wire [ADDRESS-1:0] next_output,
    input wire [COLUMNS-1:0] next_columns,
    input wire [COLUMNS-1:0] columns,
    input wire [ADDRESS-1:0] skip,
    input wire [COUNT-1:0] take,
    input wire beat,
    input wire tile_end,
    input wire row_end,
    input wire [8*RESULTS-1:0] results,
    input wire accept,
    input wire [7:0] in_data,
    output wire single,
    output reg [ADDRESS-1:0] address,
    output reg [COUNT-1:0] count,
    output reg [8*RESULTS-1:0] bytes
);
    reg [ADDRESS-1:0] place;
    reg [COLUMNS-1:0] left;

    wire [COUNT-1:0] wanted = accept ? {{(COUNT - 1) {1'b0}}, 1'b1} : beat ? take : {COUNT{1'b0}};
    wire [COLUMNS+COUNT-1:0] wide_wanted = {{COLUMNS{1'b0}}, wanted};
    wire [COLUMNS+COUNT-1:0] wide_left = {{COUNT{1'b0}}, left};
    wire [COLUMNS+COUNT:0] difference = {1'b0, wide_left} - {1'b0, wide_wanted};
    wire short = difference[COLUMNS+COUNT];
    wire [COUNT-1:0] written = short ? wide_left[COUNT-1:0] : wanted;
    wire [COLUMNS+COUNT-1:0] remaining = short ? {(COLUMNS + COUNT) {1'b0}} : difference[COLUMNS+COUNT-1:0];
    wire spent = short | difference[COLUMNS-1:0] == 0;
    wire [ADDRESS+COUNT-1:0] moved = {{COUNT{1'b0}}, place} + {{ADDRESS{1'b0}}, written};

    wire unused = &{1'b0, moved[ADDRESS+COUNT-1:ADDRESS], remaining[COLUMNS+COUNT-1:COLUMNS], wide_left};

    assign single = left == {{(COLUMNS - 1) {1'b0}}, 1'b1};

    initial begin
        place = 0;
        left = 0;
        address = 0;
        count = 0;
        bytes = 0;
    end

    always @(posedge clock) begin
        if (load) place <= next_output;
        else place <= moved[ADDRESS-1:0] + (row_end ? skip : {ADDRESS{1'b0}});

        if (load) left <= next_columns;
        else left <= tile_end & spent ? columns : remaining[COLUMNS-1:0];

        address <= place;
        count <= written;
        bytes <= results;
        bytes[7:0] <= accept ? in_data : results[7:0];
    end
endmodule
