/* Words of a file of hexadecimals; each is there in the cycle after its address. From BLOCK words on
   it is a block of memory. */
module s2c_rom #(
    parameter WIDTH = 8,
    parameter WORDS = 1,
    parameter ADDRESS = 1,
    parameter FILE = "",
    parameter BLOCK = 32
) (
    input wire clock,
    input wire [ADDRESS-1:0] address,
    output reg [WIDTH-1:0] word
);
    generate
        if (WORDS >= BLOCK) begin : block
            (* rom_style = "block" *) reg [WIDTH-1:0] words[0:WORDS-1];
            if (FILE != "") initial $readmemh(FILE, words);
            always @(posedge clock) word <= words[address];
        end else begin : any
            reg [WIDTH-1:0] words[0:WORDS-1];
            if (FILE != "") initial $readmemh(FILE, words);
            always @(posedge clock) word <= words[address];
        end
    endgenerate

    initial word = 0;
endmodule
