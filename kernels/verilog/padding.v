/* The bytes of a step, one cycle later, those outside of the image replaced by `value`. line and offset are those of the
   step's address in cycle t; image, lines, row and value of its call from then up to t + 1; bytes come in t + 2, x goes in t + 3.
   Byte j is padding unless 0 <= line < lines and 0 <= offset + j < row. */
module s2c_padding #(
    parameter BYTES = 1,
    parameter COUNT = 1,
    parameter LINE = 1,
    parameter OFFSET = 1
) (
    input wire clock,
    input wire enable,
    input wire image,
    input wire [LINE-1:0] lines,
    input wire [OFFSET-1:0] row,
    input wire [7:0] value,
    input wire [LINE-1:0] line,
    input wire [OFFSET-1:0] offset,
    input wire [8*BYTES-1:0] bytes,
    output reg [8*BYTES-1:0] x
);
    localparam [OFFSET:0] ALL = BYTES;

    wire [OFFSET:0] missing = -{offset[OFFSET-1], offset};
    wire [OFFSET:0] room = {1'b0, row} - {offset[OFFSET-1], offset};
    wire outside = image & (line >= lines);

    reg [COUNT-1:0] from = 0;
    reg [COUNT-1:0] to = 0;
    reg [BYTES-1:0] valid = 0;
    reg [7:0] filler = 0;

    always @(posedge clock)
        if (enable) begin
            from <= ~image | missing[OFFSET] ? 0 : missing > ALL ? ALL[COUNT-1:0] : missing[COUNT-1:0];
            to <= outside | (image & room[OFFSET]) ? 0 : ~image | (room > ALL) ? ALL[COUNT-1:0] : room[COUNT-1:0];
            filler <= value;
        end

    initial x = 0;

    genvar at;
    generate
        for (at = 0; at < BYTES; at = at + 1) begin : each
            localparam [COUNT-1:0] OWN = at;

            always @(posedge clock)
                if (enable) begin
                    valid[at] <= (OWN >= from) & (OWN < to);
                    x[8*at+:8] <= valid[at] ? bytes[8*at+:8] : filler;
                end
        end
    endgenerate
endmodule
