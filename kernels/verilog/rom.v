/* Words of a file of hexadecimals; each is there in the cycle after its address. */
module s2c_rom #(
    parameter WIDTH = 8,
    parameter WORDS = 1,
    parameter ADDRESS = 1,
    parameter FILE = ""
) (
    input wire clock,
    input wire [ADDRESS-1:0] address,
    output reg [WIDTH-1:0] word
);
    reg [WIDTH-1:0] words[0:WORDS-1];

    initial begin
        $readmemh(FILE, words);
        word = 0;
    end

    always @(posedge clock) word <= words[address];
endmodule
