/* P lanes that multiply and add, or keep the largest.
   computes: average_pool_i8
   computes: gather_i8
   computes: insert_i8 in place a
   computes: matmul_i8
   computes: max_i8
   computes: relu_i8 in place a
   computes: window_matmul_i8 where window_groups == groups
   computes: window_max_i8 where window_groups == channels and size == kernel_height * kernel_width
   x, the weights, ones and spread are those of a step in cycle t + 3; step, first, last and most in t + 5. Then `sums` are
   those of the tile up to this step; lane i is at BITS * i. Lane i takes byte i & spread, which is one less than a power of two.
   WIDE: bits of spread. ones: all weights are 1. most: sums are the largest so far; MOST: whether any call wants that. */
module s2c_lanes #(
    parameter LANES = 1,
    parameter BYTES = 1,
    parameter WIDE = 1,
    parameter BITS = 16,
    parameter MOST = 0
) (
    input wire clock,
    input wire reset,
    input wire [8*BYTES-1:0] x,
    input wire [8*LANES-1:0] weights,
    input wire ones,
    input wire [WIDE-1:0] spread,
    input wire step,
    input wire first,
    input wire last,
    input wire most,
    output wire [BITS*LANES-1:0] sums
);
    genvar lane;
    integer level;
    generate
        for (lane = 0; lane < LANES; lane = lane + 1) begin : each
            reg [7:0] picked;
            reg signed [7:0] operand = 0;
            reg signed [7:0] weight = 0;
            reg signed [15:0] product = 0;
            reg signed [BITS-1:0] sum = 0;
            wire signed [BITS-1:0] total = sum + {{(BITS - 15) {product[15]}}, product[14:0]};

            always @(*) begin
                picked = x[7:0];
                for (level = 0; level < WIDE; level = level + 1)
                    if (spread[level]) picked = x[8*((lane&((2<<level)-1))%BYTES)+:8];
            end

            if (MOST != 0) begin : keep_most
                wire higher = first | ($signed(product[7:0]) > $signed(sum[7:0]));
                wire [7:0] kept = higher ? product[7:0] : sum[7:0];
                assign sums[BITS*lane+:BITS] = most ? {{(BITS - 7) {kept[7]}}, kept[6:0]} : total;
            end else begin : add
                wire unused = &{1'b0, first, most};
                assign sums[BITS*lane+:BITS] = total;
            end

            always @(posedge clock) begin
                operand <= picked;
                weight <= ones ? 8'sd1 : weights[8*lane+:8];
                product <= $signed({{8{operand[7]}}, operand}) * $signed({{8{weight[7]}}, weight});
                if (reset | last) sum <= 0;
                else if (step) sum <= sums[BITS*lane+:BITS];
            end
        end
    endgenerate
endmodule
