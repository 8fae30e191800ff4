/* The same, CYCLES later; 0 behind a reset. */
module s2c_delay #(
    parameter WIDTH = 1,
    parameter CYCLES = 1
) (
    input wire clock,
    input wire reset,
    input wire [WIDTH-1:0] early,
    output wire [WIDTH-1:0] late
);
    reg [WIDTH*CYCLES-1:0] held = 0;

    assign late = held[WIDTH*(CYCLES-1)+:WIDTH];

    generate
        if (CYCLES == 1) begin : once
            always @(posedge clock) held <= reset ? 0 : early;
        end else begin : several
            always @(posedge clock) held <= reset ? 0 : {held[WIDTH*(CYCLES-1)-1:0], early};
        end
    endgenerate
endmodule
