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
    wire [WIDTH*RESULTS-1:0] heads;
    reg [WIDTH*RESULTS-1:0] added;
    reg [WIDTH*RESULTS-1:0] chosen;
    reg [WIDTH*RESULTS-1:0] folded = 0;
    integer level;
    integer pair;

    always @(*) begin
        added = heads;
        chosen = heads;
        for (level = 1; level <= FOLD; level = level + 1)
            for (pair = 0; pair < RESULTS >> level; pair = pair + 1) begin
                added[WIDTH*pair+:WIDTH] = added[WIDTH*2*pair+:WIDTH] + added[WIDTH*(2*pair+1)+:WIDTH];
                if (merge >= level[MERGE-1:0]) chosen[WIDTH*pair+:WIDTH] = added[WIDTH*pair+:WIDTH];
            end
    end

    wire unused = &{1'b0, load, merge, begins, tables, entries, sums};

    genvar at;
    generate
        if (LANED != 0) begin : lanes
            reg [BITS*LANES-1:0] held = 0;

            always @(posedge clock) if (load) held[BITS*(LANES-RESULTS)+:BITS*RESULTS] <= sums[BITS*(LANES-RESULTS)+:BITS*RESULTS];

            for (at = 0; at < LANES - RESULTS; at = at + 1) begin : shift
                always @(posedge clock)
                    held[BITS*at+:BITS] <= load ? sums[BITS*at+:BITS] : held[BITS*(at+RESULTS)+:BITS];
            end
        end

        for (at = 0; at < RESULTS; at = at + 1) begin : head
            wire signed [WIDTH-1:0] lane;
            if (LANED != 0) begin : laned
                wire signed [BITS-1:0] sum = lanes.held[BITS*at+:BITS];
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

    always @(posedge clock) folded <= chosen;
endmodule
