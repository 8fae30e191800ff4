/* Of several outputs' bytes the one whose address stood at the port two cycles before, one cycle later. turn: of its output, as of that cycle.
   All wait while enable is 0. */
module s2c_collector #(
    parameter OUTPUTS = 1
) (
    input wire clock,
    input wire enable,
    input wire [OUTPUTS-1:0] turn,
    input wire [8*OUTPUTS-1:0] bytes,
    output reg [7:0] out_data
);
    reg [2*OUTPUTS-1:0] turns = 0;
    reg [7:0] chosen;
    integer each;

    always @(*) begin
        chosen = 0;
        for (each = 0; each < OUTPUTS; each = each + 1)
            chosen = chosen | ({8{turns[OUTPUTS+each]}} & bytes[8*each+:8]);
    end

    initial out_data = 0;

    always @(posedge clock)
        if (enable) begin
            turns <= {turns[OUTPUTS-1:0], turn};
            out_data <= chosen;
        end
endmodule
