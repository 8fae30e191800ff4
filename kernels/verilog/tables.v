/* Sums of table entries.
   computes: add_i8 in place a
   computes: map_i8 in place a
   computes: recenter_i8_u8 in place a
   computes: recenter_u8_i8 in place a
   x and number, the table's, are those of a step in cycle t + 3; step and last in t + 5. Then `sums` are those of the tile up
   to this step, RESULTS of them, of BITS each. */
module s2c_tables #(
    parameter RESULTS = 1,
    parameter NUMBER = 1,
    parameter WORDS = 256,
    parameter INDEX = 8,
    parameter PAGE = 2048,
    parameter WITHIN = 11,
    parameter LAST = 8,
    parameter ENTRY = 8,
    parameter BITS = 9,
    parameter FILE = ""
) (
    input wire clock,
    input wire reset,
    input wire [8*RESULTS-1:0] x,
    input wire [NUMBER-1:0] number,
    input wire step,
    input wire last,
    output wire [BITS*RESULTS-1:0] sums
);
    genvar result;
    generate
        for (result = 0; result < RESULTS; result = result + 1) begin : each
            wire [NUMBER+7:0] index = {number, ~x[8*result+7], x[8*result+:7]};
            wire unused = &{1'b0, index};
            wire [ENTRY-1:0] entry;
            reg [BITS-1:0] sum = 0;

            s2c_paged_rom #(
                .WIDTH(ENTRY),
                .WORDS(WORDS),
                .ADDRESS(INDEX),
                .PAGE(PAGE),
                .WITHIN(WITHIN),
                .LAST(LAST),
                .FILE(FILE)
            ) entries (
                .clock(clock),
                .address(index[INDEX-1:0]),
                .word(entry)
            );

            assign sums[BITS*result+:BITS] = sum + {{(BITS - ENTRY) {entry[ENTRY-1]}}, entry};

            always @(posedge clock)
                if (reset | last) sum <= 0;
                else if (step) sum <= sums[BITS*result+:BITS];
        end
    endgenerate
endmodule
