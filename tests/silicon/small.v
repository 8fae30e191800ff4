// A multiply-accumulate unit with a weight ROM and a byte RAM, with the ports of a net.
module small (
    input  wire       clock,
    input  wire       reset,
    input  wire       in_valid,
    output wire       in_ready,
    input  wire [7:0] in_data,
    output reg        out_valid,
    input  wire       out_ready,
    output reg  [7:0] out_data,
    output wire       busy
);
    reg [7:0] weights[0:1023];
    reg [7:0] arena[0:2047];
    reg [9:0] step;
    reg [7:0] weight;
    reg [7:0] value;
    reg [7:0] stored;
    reg signed [23:0] sum;
    reg signed [15:0] product;
    integer index;

    initial begin
        $readmemh("small.weights.hex", weights);
        for (index = 0; index < 2048; index = index + 1) arena[index] = 8'd0;
    end
    assign in_ready = 1'b1;
    assign busy = step != 10'd0;
    always @(posedge clock) begin
        weight <= weights[step];
        stored <= arena[{1'b0, step}];
        value <= in_data;
        if (in_valid) arena[{1'b1, step}] <= in_data;
        product <= $signed(weight) * $signed(value ^ stored);
    end
    always @(posedge clock) begin
        if (reset) begin
            step <= 10'd0;
            sum <= 24'd0;
            out_valid <= 1'b0;
            out_data <= 8'd0;
        end else begin
            if (in_valid) step <= step + 10'd1;
            sum <= step == 10'd0 ? {{8{product[15]}}, product} : sum + product;
            out_valid <= step == 10'd1023 && out_ready;
            out_data <= sum[23:16];
        end
    end
endmodule
