/* When bytes go: while a frame is `waiting`, a step that reads the next of its outputs' bytes in each cycle (sending), which are outputs three
   cycles later; while one waits for out_ready, all wait (enable is 0). */
module s2c_dispatch (
    input wire clock,
    input wire reset,
    input wire waiting,
    input wire out_ready,
    output wire out_valid,
    output wire enable,
    output wire sending
);
    reg [2:0] sent = 0;

    assign out_valid = sent[2];
    assign enable = ~out_valid | out_ready;
    assign sending = waiting & enable;

    always @(posedge clock)
        if (reset) sent <= 0;
        else if (enable) sent <= {sent[1:0], sending};
endmodule
