/* A place that loops move: `first` after `load`, and on by the stride of the loop that advances. */
module s2c_cursor #(
    parameter WIDTH = 8,
    parameter LOOPS = 1
) (
    input wire clock,
    input wire load,
    input wire [WIDTH-1:0] first,
    input wire [LOOPS-1:0] advance,
    input wire [WIDTH*LOOPS-1:0] strides,
    output reg [WIDTH-1:0] place
);
    reg [WIDTH-1:0] stride;
    integer level;

    always @(*) begin
        stride = 0;
        for (level = 0; level < LOOPS; level = level + 1)
            stride = stride | ({WIDTH{advance[level]}} & strides[WIDTH*level+:WIDTH]);
    end

    initial place = 0;

    always @(posedge clock)
        if (load) place <= first;
        else place <= place + stride;
endmodule
