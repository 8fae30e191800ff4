/* Bytes turned, so that the one that was number `right` is the first. */
module s2c_turn #(
    parameter BYTES = 2,
    parameter TURN = 1
) (
    input wire [TURN-1:0] right,
    input wire [8*BYTES-1:0] bytes,
    output wire [8*BYTES-1:0] turned
);
    wire [8*BYTES*(TURN+1)-1:0] levels;

    assign levels[8*BYTES-1:0] = bytes;
    assign turned = levels[8*BYTES*TURN+:8*BYTES];

    genvar level;
    generate
        for (level = 0; level < TURN; level = level + 1) begin : halves
            localparam BITS = 8 << level;
            wire [8*BYTES-1:0] from = levels[8*BYTES*level+:8*BYTES];
            assign levels[8*BYTES*(level+1)+:8*BYTES] = right[level]
                ? {from[BITS-1:0], from[8*BYTES-1:BITS]} : from;
        end
    endgenerate
endmodule
