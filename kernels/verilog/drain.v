/* Sums of a tile, handed on RESULTS lanes a cycle. load is 1 in cycle t + 5; in t + 6 + k the first lanes of the register are those
   from k * RESULTS on. results, of cycle t + 8 + k, are sums of 1 << merge neighbours: within a cycle first, then, where that is not
   enough, of cycles one after the other, from the one with `begins` (t + 6 + k) on. Tables: the first RESULTS sums are
   `entries` instead, where `tables` (t + 5) is 1. FOLD: log2 of RESULTS. GATHER: whether any sums go over several cycles.
   ENTRY is 0 without tables. */
module s2c_drain #(
    parameter LANES = 1,
    parameter RESULTS = 1,
    parameter FOLD = 0,
    parameter MERGE = 1,
    parameter BITS = 16,
    parameter WIDTH = 16,
    parameter GATHER = 0,
    parameter LANED = 1,
    parameter ENTRY = 0
) (
    input wire clock,
    input wire load,
    input wire tables,
    input wire begins,
    input wire [MERGE-1:0] merge,
    input wire [BITS*LANES-1:0] sums,
    input wire [(ENTRY == 0 ? 1 : ENTRY)*RESULTS-1:0] entries,
    output wire [WIDTH*RESULTS-1:0] results
);
    localparam CYCLES = LANES / RESULTS;

    wire [WIDTH*RESULTS-1:0] heads;
    wire [WIDTH*RESULTS*(FOLD+1)-1:0] levels;
    wire [WIDTH*RESULTS*(FOLD+1)-1:0] chosen;
    reg [WIDTH*RESULTS-1:0] folded = 0;

    genvar at;
    genvar level;
    generate
        if (LANED != 0) begin : lanes
            wire [BITS*RESULTS*(CYCLES+1)-1:0] moved;

            for (at = 0; at < CYCLES; at = at + 1) begin : group
                reg [BITS*RESULTS-1:0] held = 0;
                assign moved[BITS*RESULTS*at+:BITS*RESULTS] = held;

                if (at == CYCLES - 1) begin : hold
                    always @(posedge clock) if (load) held <= sums[BITS*RESULTS*at+:BITS*RESULTS];
                end else begin : shift
                    always @(posedge clock)
                        held <= load ? sums[BITS*RESULTS*at+:BITS*RESULTS]
                                     : moved[BITS*RESULTS*(at+1)+:BITS*RESULTS];
                end
            end
        end

        for (at = 0; at < RESULTS; at = at + 1) begin : head
            wire signed [WIDTH-1:0] lane;
            if (LANED != 0) begin : laned
                wire signed [BITS-1:0] sum = lanes.moved[BITS*at+:BITS];
                assign lane = {{(WIDTH - BITS + 1) {sum[BITS-1]}}, sum[BITS-2:0]};
            end else begin : none
                assign lane = 0;
            end
            if (ENTRY == 0) begin : alone
                assign heads[WIDTH*at+:WIDTH] = lane;
            end else begin : either
                reg signed [ENTRY-1:0] entry = 0;
                reg of_tables = 0;
                assign heads[WIDTH*at+:WIDTH] = of_tables
                    ? {{(WIDTH - ENTRY + 1) {entry[ENTRY-1]}}, entry[ENTRY-2:0]} : lane;
                always @(posedge clock)
                    if (load) begin
                        entry <= entries[ENTRY*at+:ENTRY];
                        of_tables <= tables;
                    end
            end
        end

        assign levels[WIDTH*RESULTS-1:0] = heads;
        assign chosen[WIDTH*RESULTS-1:0] = heads;
        for (level = 1; level <= FOLD; level = level + 1) begin : fold
            localparam [MERGE-1:0] OWN = level;
            for (at = 0; at < RESULTS; at = at + 1) begin : pair
                if (at < RESULTS >> level) begin : sum
                    assign levels[WIDTH*(RESULTS*level+at)+:WIDTH]
                        = levels[WIDTH*(RESULTS*(level-1)+2*at)+:WIDTH]
                        + levels[WIDTH*(RESULTS*(level-1)+2*at+1)+:WIDTH];
                    assign chosen[WIDTH*(RESULTS*level+at)+:WIDTH] = merge >= OWN
                        ? levels[WIDTH*(RESULTS*level+at)+:WIDTH]
                        : chosen[WIDTH*(RESULTS*(level-1)+at)+:WIDTH];
                end else begin : none
                    assign levels[WIDTH*(RESULTS*level+at)+:WIDTH] = 0;
                    assign chosen[WIDTH*(RESULTS*level+at)+:WIDTH]
                        = chosen[WIDTH*(RESULTS*(level-1)+at)+:WIDTH];
                end
            end
        end

        for (at = 0; at < RESULTS; at = at + 1) begin : result
            reg signed [WIDTH-1:0] held = 0;
            assign results[WIDTH*at+:WIDTH] = held;
            if (at == 0 && GATHER != 0) begin : gather
                reg is_first = 0;
                always @(posedge clock) begin
                    is_first <= begins;
                    held <= (is_first ? {WIDTH{1'b0}} : held) + folded[WIDTH-1:0];
                end
            end else begin : pass
                always @(posedge clock) held <= folded[WIDTH*at+:WIDTH];
            end
        end
    endgenerate

    always @(posedge clock) folded <= chosen[WIDTH*RESULTS*FOLD+:WIDTH*RESULTS];
endmodule
