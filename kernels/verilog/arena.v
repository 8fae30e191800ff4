/* All the memory there is, as BANKS banks of bytes, so that as many bytes are read from any address on, and up to
   RESULTS written. The address of a read stands at the port in cycle t; its bytes, the first of them lowest, are there in
   cycle t + 2. What is written in a cycle is there for reads of the next. TURN: log2 of BANKS, BACK: of RESULTS. */
module s2c_arena #(
    parameter BANKS = 1,
    parameter TURN = 0,
    parameter ROWS = 1,
    parameter ADDRESS = 1,
    parameter RESULTS = 1,
    parameter BACK = 0,
    parameter COUNT = 1
) (
    input wire clock,
    input wire enable,
    input wire [ADDRESS-1:0] read_address,
    output wire [8*BANKS-1:0] read_bytes,
    input wire [ADDRESS-1:0] write_address,
    input wire [COUNT-1:0] write_count,
    input wire [8*RESULTS-1:0] write_bytes
);
    genvar bank;
    generate
        if (BANKS == 1) begin : single
            s2c_bank #(
                .ROWS(ROWS),
                .ADDRESS(ADDRESS)
            ) memory (
                .clock(clock),
                .enable(enable),
                .read_row(read_address),
                .read_byte(read_bytes),
                .write(write_count != 0),
                .write_row(write_address),
                .write_byte(write_bytes)
            );
        end else begin : several
            reg [2*TURN-1:0] turns = 0;
            wire [8*BANKS-1:0] stored;
            wire [8*RESULTS-1:0] turned;

            s2c_turn #(
                .BYTES(BANKS),
                .TURN(TURN)
            ) turn_read (
                .right(turns[TURN+:TURN]),
                .bytes(stored),
                .turned(read_bytes)
            );

            if (RESULTS == 1) begin : write_one
                assign turned = write_bytes;
            end else begin : write_several
                wire [BACK-1:0] right = -write_address[BACK-1:0];

                s2c_turn #(
                    .BYTES(RESULTS),
                    .TURN(BACK)
                ) turn_written (
                    .right(right),
                    .bytes(write_bytes),
                    .turned(turned)
                );
            end

            for (bank = 0; bank < BANKS; bank = bank + 1) begin : banks
                localparam [TURN-1:0] OWN = bank;
                wire read_behind = {1'b0, OWN} < {1'b0, read_address[TURN-1:0]};
                wire write_behind = {1'b0, OWN} < {1'b0, write_address[TURN-1:0]};
                wire [TURN-1:0] position = OWN - write_address[TURN-1:0];

                s2c_bank #(
                    .ROWS(ROWS),
                    .ADDRESS(ADDRESS - TURN)
                ) memory (
                    .clock(clock),
                    .enable(enable),
                    .read_row(read_address[ADDRESS-1:TURN] + {{(ADDRESS - TURN - 1) {1'b0}}, read_behind}),
                    .read_byte(stored[8*bank+:8]),
                    .write({{COUNT{1'b0}}, position} < {{TURN{1'b0}}, write_count}),
                    .write_row(write_address[ADDRESS-1:TURN] + {{(ADDRESS - TURN - 1) {1'b0}}, write_behind}),
                    .write_byte(turned[8*(bank%RESULTS)+:8])
                );
            end

            always @(posedge clock) if (enable) turns <= {turns[TURN-1:0], read_address[TURN-1:0]};
        end
    endgenerate
endmodule
