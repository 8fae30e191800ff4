/* The program of one half: `next` is the instruction behind the one that is executed; in a cycle with `take` it is
   read, from the next cycle on it is `held`, and two cycles later `next` is the one behind it. Behind the last comes
   the first. */
module s2c_program #(
    parameter WIDTH = 1,
    parameter WORDS = 1,
    parameter POINTER = 1,
    parameter FILE = ""
) (
    input wire clock,
    input wire reset,
    input wire take,
    output wire [WIDTH-1:0] next,
    output reg [WIDTH-1:0] held
);
    localparam [31:0] LAST = WORDS - 1;

    reg [POINTER-1:0] pointer = 0;

    s2c_rom #(
        .WIDTH(WIDTH),
        .WORDS(WORDS),
        .ADDRESS(POINTER),
        .FILE(FILE)
    ) instructions (
        .clock(clock),
        .address(pointer),
        .word(next)
    );

    initial held = 0;

    always @(posedge clock) begin
        if (take) held <= next;
        if (reset) pointer <= 0;
        else if (take) pointer <= pointer == LAST[POINTER-1:0] ? 0 : pointer + 1'b1;
    end
endmodule
