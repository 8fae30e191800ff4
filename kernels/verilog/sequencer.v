/* The front half's control. Cycle 0 is that of `start`; `fetch` is 1 in the cycle before an instruction's `wait`, then come its
   steps. compute: steps of the lanes and tables; softmax_run: those that its unit needs, which says which is the last; sending: those that
   read an output. A tile's first and last step are marked; opens: last of the call's first tile. `pause` holds all back. */
module s2c_sequencer #(
    parameter LOOPS = 1,
    parameter IDLE = 1,
    parameter WORD = 1
) (
    input wire clock,
    input wire reset,
    input wire start,
    input wire pause,
    input wire [LOOPS-1:0] at_end,
    input wire [IDLE-1:0] next_wait,
    input wire [WORD-1:0] next_words,
    input wire [WORD-1:0] words,
    input wire [LOOPS-1:0] tile_loops,
    input wire [LOOPS-1:0] row_loops,
    input wire [IDLE-1:0] gap,
    input wire softmax,
    input wire softmax_last,
    input wire send,
    input wire is_final,
    output reg running,
    output wire busy,
    output reg fetch,
    output wire step,
    output wire compute,
    output wire softmax_run,
    output wire sending,
    output reg first,
    output wire last,
    output wire opens,
    output reg [WORD-1:0] word
);
    reg [IDLE-1:0] idle;
    reg computing;
    reg in_first_tile;
    wire tile_ends = &(at_end | ~tile_loops);
    wire ends = softmax ? softmax_last : &at_end;

    assign step = running & ~fetch & ~pause & (idle == 0);
    assign compute = step & ~softmax & ~send;
    assign softmax_run = step & softmax;
    assign sending = step & send;
    assign last = compute & tile_ends;
    assign opens = last & in_first_tile;
    assign busy = computing & ~sending;

    initial begin
        running = 0;
        fetch = 0;
        first = 0;
        computing = 0;
        in_first_tile = 0;
        word = 0;
        idle = 0;
    end

    always @(posedge clock) begin
        if (reset) running <= 0;
        else if (start) running <= 1;
        else if (step & ends & is_final) running <= 0;

        if (reset) computing <= 0;
        else computing <= start | busy;

        fetch <= ~reset & (start | (step & ends & ~is_final));

        if (fetch) idle <= next_wait;
        else if (step & tile_ends & ~ends) idle <= gap;
        else if (idle != 0) idle <= idle - 1'b1;

        if (fetch) first <= 1;
        else if (step) first <= tile_ends;

        if (fetch) in_first_tile <= 1;
        else if (step & tile_ends) in_first_tile <= 0;

        if (fetch) word <= next_words;
        else if (step) word <= &(at_end | ~row_loops) ? words : word + 1'b1;
    end
endmodule
