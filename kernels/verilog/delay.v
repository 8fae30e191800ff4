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
    wire [WIDTH*(CYCLES+1)-1:0] moved = {held, early};

    assign late = held[WIDTH*(CYCLES-1)+:WIDTH];

    always @(posedge clock)
        if (reset) held <= 0;
        else held <= moved[WIDTH*CYCLES-1:0];
endmodule
