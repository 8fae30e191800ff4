/* Words of a file of hexadecimals, FILE.hex; of more than PAGE words, of a file for each page: FILE.000.hex, FILE.001.hex and
   so on. Each is there two cycles after its address. Behind a page's memory stands its register and nothing else, for a block of
   memory takes most of a cycle; the register of a page that is not read is zero, so that the word is the or of them all.
   ADDRESS, WITHIN, LAST: bits of an address, of one within a page, of one within the last page. */
module s2c_paged_rom #(
    parameter WIDTH = 8,
    parameter WORDS = 1,
    parameter ADDRESS = 1,
    parameter PAGE = 2048,
    parameter WITHIN = 11,
    parameter LAST = 1,
    parameter FILE = ""
) (
    input wire clock,
    input wire [ADDRESS-1:0] address,
    output reg [WIDTH-1:0] word
);
    localparam PAGES = (WORDS + PAGE - 1) / PAGE;

    reg [WIDTH*PAGES-1:0] held = 0;
    integer each;

    always @(*) begin
        word = held[WIDTH-1:0];
        for (each = 1; each < PAGES; each = each + 1) word = word | held[WIDTH*each+:WIDTH];
    end

    genvar page;
    generate
        if (PAGES == 1) begin : one
            wire [WIDTH-1:0] stored;

            s2c_rom #(
                .WIDTH(WIDTH),
                .WORDS(WORDS),
                .ADDRESS(ADDRESS),
                .FILE({FILE, ".hex"})
            ) memory (
                .clock(clock),
                .address(address),
                .word(stored)
            );

            always @(posedge clock) held <= stored;
        end else begin : several
            for (page = 0; page < PAGES; page = page + 1) begin : pages
                localparam IS_LAST = page == PAGES - 1;
                localparam BITS = IS_LAST ? LAST : WITHIN;
                localparam [ADDRESS-WITHIN-1:0] OWN = page;
                localparam [7:0] HUNDREDS = 48 + page / 100;
                localparam [7:0] TENS = 48 + page / 10 % 10;
                localparam [7:0] ONES = 48 + page % 10;
                wire [WIDTH-1:0] stored;
                reg is_read = 0;

                s2c_rom #(
                    .WIDTH(WIDTH),
                    .WORDS(IS_LAST ? WORDS - PAGE * page : PAGE),
                    .ADDRESS(BITS),
                    .FILE({FILE, ".", HUNDREDS, TENS, ONES, ".hex"})
                ) memory (
                    .clock(clock),
                    .address(address[BITS-1:0]),
                    .word(stored)
                );

                always @(posedge clock) begin
                    is_read <= address[ADDRESS-1:WITHIN] == OWN;
                    held[WIDTH*page+:WIDTH] <= is_read ? stored : 0;
                end
            end
        end
    endgenerate
endmodule
