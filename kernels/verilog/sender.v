/* Says which bytes are outputs: those of the steps with `sending`, three cycles later; while one waits for out_ready, all wait. */
module s2c_sender (
    input wire clock,
    input wire reset,
    input wire running,
    input wire sending,
    input wire out_ready,
    output wire out_valid,
    output wire occupied,
    output wire pause,
    output wire enable
);
    reg [2:0] sent = 0;

    assign out_valid = sent[2];
    assign occupied = running | (sent != 0);
    assign pause = out_valid & ~out_ready;
    assign enable = ~pause;

    always @(posedge clock)
        if (reset) sent <= 0;
        else if (~pause) sent <= {sent[1:0], sending};
endmodule
