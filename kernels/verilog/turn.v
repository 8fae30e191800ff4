/* Bytes turned, so that the one that was number `right` is the first. */
module s2c_turn #(
    parameter BYTES = 2,
    parameter TURN = 1
) (
    input wire [TURN-1:0] right,
    input wire [8*BYTES-1:0] bytes,
    output reg [8*BYTES-1:0] turned
);
    integer level;

    always @(*) begin
        turned = bytes;
        for (level = 0; level < TURN; level = level + 1)
            if (right[level]) turned = (turned >> (8 << level)) | (turned << (8 * BYTES - (8 << level)));
    end
endmodule
