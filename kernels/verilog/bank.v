/* A memory of bytes, zero at first. What is read is there two cycles later, while `enable` is 1. */
module s2c_bank #(
    parameter ROWS = 1,
    parameter ADDRESS = 1
) (
    input wire clock,
    input wire enable,
    input wire [ADDRESS-1:0] read_row,
    output reg [7:0] read_byte,
    input wire write,
    input wire [ADDRESS-1:0] write_row,
    input wire [7:0] write_byte
);
    reg [7:0] bytes[0:ROWS-1];
    reg [7:0] stored = 0;

    integer row;
    initial begin
        for (row = 0; row < ROWS; row = row + 1) bytes[row] = 0;
        read_byte = 0;
    end

    always @(posedge clock) begin
        if (write) bytes[write_row] <= write_byte;
        if (enable) stored <= bytes[read_row];
    end

    always @(posedge clock) if (enable) read_byte <= stored;
endmodule
