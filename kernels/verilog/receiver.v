/* Takes the inputs, one after the other, each as the back half's program says, while the chip neither computes nor sends.
   opens: a call's first tile comes.
   take: the program's next word is in force from the next cycle on. start: this cycle takes the last byte of the last input. */
module s2c_receiver (
    input wire clock,
    input wire reset,
    input wire occupied,
    input wire opens,
    input wire in_valid,
    input wire single,
    input wire is_final,
    output wire in_ready,
    output wire accept,
    output wire take,
    output wire start
);
    reg settled = 0;
    reg ready = 0;

    assign in_ready = ready;
    assign accept = in_valid & ready;
    wire wanted = settled & ~ready & ~occupied;

    assign take = wanted | opens;
    assign start = accept & single & is_final;

    always @(posedge clock) begin
        settled <= ~reset;
        ready <= ~reset & (wanted | (ready & ~(accept & single)));
    end
endmodule
