/* Counters of a call's loops, innermost first: `advance` names the loop that goes on after this step, `at_end` those
   that are in their last round. BITS: of each loop's counter, 8 bits each; `counts` are one less than the rounds. */
module s2c_loops #(
    parameter LOOPS = 1,
    parameter [8*LOOPS-1:0] BITS = 8'd1,
    parameter WIDTH = 1
) (
    input wire clock,
    input wire load,
    input wire step,
    input wire [WIDTH-1:0] next_counts,
    input wire [WIDTH-1:0] counts,
    output wire [LOOPS-1:0] at_end,
    output wire [LOOPS-1:0] advance
);
    function integer bits_below(input integer level);
        integer each;
        begin
            bits_below = 0;
            for (each = 0; each < level; each = each + 1) bits_below = bits_below + {24'd0, BITS[8*each+:8]};
        end
    endfunction

    wire [LOOPS-1:0] below;

    assign advance = below & ~at_end;

    genvar level;
    generate
        for (level = 0; level < LOOPS; level = level + 1) begin : counter
            localparam OWN = {24'd0, BITS[8*level+:8]};
            localparam FROM = bits_below(level);
            reg [OWN-1:0] left = 0;

            assign at_end[level] = left == 0;
            if (level == 0) assign below[level] = step;
            else assign below[level] = step & (&at_end[level-1:0]);

            always @(posedge clock)
                if (load) left <= next_counts[FROM+:OWN];
                else if (below[level]) left <= at_end[level] ? counts[FROM+:OWN] : left - 1'b1;
        end
    endgenerate
endmodule
