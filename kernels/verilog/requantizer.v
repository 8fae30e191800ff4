/* One result: (result + bias) << left, times multiplier * 2 ** -31, rounded; times 2 ** -amount, rounded; plus zero, within
   lo..hi. In cycle t + 8: result, bias. In t + 9: left; t + 10: multiplier; t + 12: twice; t + 13: twice, amount; t + 14: amount; t + 15: the
   rest, and the byte. twice: the product is rounded first, ties upwards, then the shift, ties away from zero. Else the product, two
   bits longer, is rounded once, ties upwards, by amount; not at all where that is 0. least and most: lo and hi less zero.
   AMOUNT_LEAST: what all amounts have in common, and `amount` goes beyond. EACH: left,
   multiplier and amount come with the bias instead, each result's own. */
module s2c_requantizer #(
    parameter RESULT = 16,
    parameter BIAS = 16,
    parameter SUM = 17,
    parameter LEFT = 0,
    parameter SHIFTED = 17,
    parameter AMOUNT = 1,
    parameter AMOUNT_LEAST = 0,
    parameter NUDGED = 20,
    parameter EACH = 0
) (
    input wire clock,
    input wire [RESULT-1:0] result,
    input wire [BIAS-1:0] bias,
    input wire [(LEFT == 0 ? 1 : LEFT)-1:0] left,
    input wire [30:0] multiplier,
    input wire twice,
    input wire [AMOUNT-1:0] amount,
    input wire [7:0] zero,
    input wire [7:0] lo,
    input wire [7:0] hi,
    input wire [8:0] least,
    input wire [8:0] most,
    output wire [7:0] value
);
    localparam LEFTS = LEFT == 0 ? 1 : LEFT;
    localparam THIRTY = SHIFTED + 1;
    localparam HIGH = SHIFTED + 15;
    localparam WHOLE = SHIFTED + 16;
    localparam MOVED = NUDGED - AMOUNT_LEAST;

    reg signed [SUM-1:0] sum = 0;
    reg signed [SHIFTED-1:0] shifted = 0;
    reg signed [WHOLE-1:0] low = 0;
    reg signed [HIGH-1:0] high = 0;
    reg signed [THIRTY-1:0] thirty = 0;
    reg signed [THIRTY-1:0] rounded = 0;
    reg signed [NUDGED-1:0] nudged = 0;
    reg signed [MOVED-1:0] moved = 0;

    wire [LEFTS-1:0] left_now;
    wire [30:0] multiplier_now;
    wire [AMOUNT-1:0] amount_now;
    wire [AMOUNT-1:0] amount_later;

    generate
        if (EACH == 0) begin : of_call
            assign left_now = left;
            assign multiplier_now = multiplier;
            assign amount_now = amount;
            assign amount_later = amount;
        end else begin : of_result
            reg [LEFTS-1:0] lefts = 0;
            reg [61:0] multipliers = 0;
            reg [6*AMOUNT-1:0] amounts = 0;

            assign left_now = lefts;
            assign multiplier_now = multipliers[61:31];
            assign amount_now = amounts[5*AMOUNT-1:4*AMOUNT];
            assign amount_later = amounts[6*AMOUNT-1:5*AMOUNT];

            always @(posedge clock) begin
                lefts <= left;
                multipliers <= {multipliers[30:0], multiplier};
                amounts <= {amounts[5*AMOUNT-1:0], amount};
            end
        end
    endgenerate

    wire signed [SUM-1:0] wide_result = $signed({{(SUM - RESULT + 1) {result[RESULT-1]}}, result[RESULT-2:0]});
    wire signed [SUM-1:0] wide_bias = $signed({{(SUM - BIAS + 1) {bias[BIAS-1]}}, bias[BIAS-2:0]});
    wire signed [SHIFTED-1:0] wide_sum = $signed({{(SHIFTED - SUM + 1) {sum[SUM-1]}}, sum[SUM-2:0]});
    wire signed [WHOLE-1:0] wide_low = $signed({{16{shifted[SHIFTED-1]}}, shifted});
    wire signed [WHOLE-1:0] factor_low = $signed({{SHIFTED{1'b0}}, multiplier_now[15:0]});
    wire signed [HIGH-1:0] wide_high = $signed({{15{shifted[SHIFTED-1]}}, shifted});
    wire signed [HIGH-1:0] factor_high = $signed({{SHIFTED{1'b0}}, multiplier_now[30:16]});
    wire signed [WHOLE-1:0] whole = $signed({{16{low[WHOLE-1]}}, low[WHOLE-1:16]})
        + $signed({high[HIGH-1], high});
    wire signed [THIRTY:0] more = $signed({thirty[THIRTY-1], thirty}) + $signed({{(THIRTY) {1'b0}}, 1'b1});
    wire is_negative = rounded[THIRTY-1];

    /* half of what the shift takes away; ties away from zero: a little less for what is negative */
    wire signed [NUDGED-1:0] wide_rounded
        = $signed({{(NUDGED - THIRTY + 1) {is_negative}}, rounded[THIRTY-2:0]});
    wire [NUDGED:0] half = {{NUDGED{1'b0}}, 1'b1} << AMOUNT_LEAST << amount_now;
    wire is_moved = ~half[0];
    wire signed [NUDGED-1:0] nudge = $signed(half[NUDGED:1])
        + $signed({NUDGED{is_moved & twice & is_negative}});
    wire signed [NUDGED-1:0] together = wide_rounded + nudge;

    wire signed [MOVED-1:0] common = $signed(nudged[NUDGED-1:AMOUNT_LEAST]);
    wire below = moved < $signed({{(MOVED - 8) {least[8]}}, least[7:0]});
    wire above = moved > $signed({{(MOVED - 8) {most[8]}}, most[7:0]});
    wire [7:0] placed = moved[7:0] + zero;

    assign value = below ? lo : above ? hi : placed;

    /* bits that are rounded away, or that no result reaches */
    wire unused = &{1'b0, whole[WHOLE-1], whole[13:0], more[0], nudged, half[0], left_now};

    generate
        if (LEFT == 0) begin : straight
            always @(posedge clock) shifted <= wide_sum;
        end else begin : lefts
            always @(posedge clock) shifted <= wide_sum <<< left_now;
        end
    endgenerate

    always @(posedge clock) begin
        sum <= wide_result + wide_bias;
        low <= wide_low * factor_low;
        high <= wide_high * factor_high;
        thirty <= whole[THIRTY+13:14];
        rounded <= twice ? more[THIRTY:1] : thirty;
        nudged <= together;
        moved <= common >>> amount_later;
    end
endmodule
