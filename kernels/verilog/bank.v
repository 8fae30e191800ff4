/* A memory of bytes, zero at first. What is read is there two cycles later, while `enable` is 1. From
   BLOCK rows on it is a block of memory. Nobody uses what is read of a row in the cycle that it is written in (no_rw_check): no
   step reads a byte before it is there, and none is written that a step still needs. */
module s2c_bank #(
    parameter ROWS = 1,
    parameter ADDRESS = 1,
    parameter BLOCK = 64
) (
    input wire clock,
    input wire enable,
    input wire [ADDRESS-1:0] read_row,
    output reg [7:0] read_byte,
    input wire write,
    input wire [ADDRESS-1:0] write_row,
    input wire [7:0] write_byte
);
    reg [7:0] stored = 0;
    integer row;

    generate
        if (ROWS >= BLOCK) begin : block
            (* ram_style = "block", no_rw_check *) reg [7:0] bytes[0:ROWS-1];

            initial for (row = 0; row < ROWS; row = row + 1) bytes[row] = 0;

            always @(posedge clock) begin
                if (write) bytes[write_row] <= write_byte;
                if (enable) stored <= bytes[read_row];
            end
        end else begin : any
            (* no_rw_check *) reg [7:0] bytes[0:ROWS-1];

            initial for (row = 0; row < ROWS; row = row + 1) bytes[row] = 0;

            always @(posedge clock) begin
                if (write) bytes[write_row] <= write_byte;
                if (enable) stored <= bytes[read_row];
            end
        end
    endgenerate

    initial read_byte = 0;

    always @(posedge clock) if (enable) read_byte <= stored;
endmodule
