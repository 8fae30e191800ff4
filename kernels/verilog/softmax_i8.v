/* softmax on int8, TFLite's reference fixed-point arithmetic, a row after the other.
   computes: softmax_i8 in place a
   A row goes through three times: for its largest value, for the sum of the powers, and for the results; before the last
   the sum's reciprocal comes from three steps of Newton and Raphson. `powers` holds 256 entries of Q0.31 for each softmax: by the
   largest value less x. run is 1 for as long as it takes, size + 1 and rows + 1 at a time; last in the last of these cycles, in which the last
   byte stands at the write port. x is the byte whose address stood at the read port three cycles before. While it does not run,
   the arena's ports are those of the others. */
module s2c_softmax_i8 #(
    parameter ADDRESS = 1,
    parameter ROWS = 1,
    parameter SIZE = 1,
    parameter RESULTS = 1,
    parameter COUNT = 1,
    parameter NUMBER = 1,
    parameter WORDS = 256,
    parameter INDEX = 8,
    parameter PAGE = 2048,
    parameter WITHIN = 11,
    parameter LAST = 8,
    parameter FILE = ""
) (
    input wire clock,
    input wire reset,
    input wire run,
    input wire [ADDRESS-1:0] source,
    input wire [ADDRESS-1:0] target,
    input wire [ROWS-1:0] rows,
    input wire [SIZE-1:0] size,
    input wire [NUMBER-1:0] number,
    input wire [7:0] x,
    output wire last,
    input wire [ADDRESS-1:0] other_read_address,
    output wire [ADDRESS-1:0] read_address,
    input wire [ADDRESS-1:0] other_write_address,
    input wire [COUNT-1:0] other_count,
    input wire [8*RESULTS-1:0] other_bytes,
    output wire [ADDRESS-1:0] write_address,
    output wire [COUNT-1:0] count,
    output wire [8*RESULTS-1:0] bytes
);
    localparam [2:0] BEGIN = 0, FIND = 1, ADD = 2, INVERT = 3, SCALE = 4, FLUSH = 5;
    localparam [5:0] SUMMED = 6;        // cycles behind the last address of ADD until the sum is there
    localparam [5:0] NORMAL = 19;       // until it is shifted: its highest bit is set
    localparam [5:0] INVERTED = 54;     // until the reciprocal is there: 7 products of 5 cycles
    localparam [5:0] FLUSHED = 11;      // behind the last address of SCALE, until its byte is at the write port
    localparam signed [31:0] HALF_OF_48_17 = 32'sd1515870810;
    localparam signed [31:0] MINUS_32_17 = -32'sd1010580540;

    reg [2:0] phase;
    reg [5:0] cycle;
    reg [SIZE-1:0] index;
    reg [ROWS-1:0] row;
    reg under_way;
    reg [ADDRESS-1:0] at;
    reg [ADDRESS-1:0] place;
    reg write;
    reg [7:0] write_byte;
    reg [ADDRESS-1:0] row_start;
    wire at_end = index == size;
    wire ends = phase == FLUSH && cycle == FLUSHED;

    assign last = ends & (row == rows);
    assign read_address = run ? at : other_read_address;
    assign write_address = write ? place : other_write_address;
    assign count = write ? {{(COUNT - 1) {1'b0}}, 1'b1} : other_count;
    assign bytes = write ? {RESULTS{write_byte}} : other_bytes;

    initial begin
        phase = BEGIN;
        cycle = 0;
        index = 0;
        row = 0;
        under_way = 0;
        row_start = 0;
        at = 0;
        place = 0;
        write = 0;
        write_byte = 0;
    end

    /* phases */
    always @(posedge clock) begin
        under_way <= run & ~last & ~reset;
        if (reset | ~run | ends) phase <= BEGIN;
        else
            case (phase)
                BEGIN: phase <= FIND;
                FIND: if (at_end) phase <= ADD;
                ADD: if (at_end) phase <= INVERT;
                INVERT: if (cycle == INVERTED) phase <= SCALE;
                default: if (phase == SCALE && at_end) phase <= FLUSH;
            endcase

        if (phase == INVERT || phase == FLUSH) cycle <= cycle + 1'b1;
        else cycle <= 0;

        if (phase == FIND || phase == ADD || phase == SCALE) index <= at_end ? 0 : index + 1'b1;
        else index <= 0;

        if (~under_way) row <= 0;
        else if (ends) row <= row + 1'b1;

        if (phase == BEGIN) begin
            at <= under_way ? row_start : source;
            row_start <= under_way ? row_start : source;
        end else if (phase == FIND || phase == ADD) at <= at_end ? row_start : at + 1'b1;
        else if (phase == SCALE) begin
            at <= at + 1'b1;
            row_start <= at + 1'b1;
        end
    end

    /* from addresses to powers: x in cycle 3, its distance from the largest in 4, its power in 6 */
    reg [2:0] found = 0;
    reg [5:0] added = 0;
    reg [10:0] scaled = 0;
    reg signed [7:0] highest = 0;
    reg [7:0] distance = 0;
    wire [NUMBER+7:0] index_of_power = {number, distance};
    wire [30:0] power;

    s2c_paged_rom #(
        .WIDTH(31),
        .WORDS(WORDS),
        .ADDRESS(INDEX),
        .PAGE(PAGE),
        .WITHIN(WITHIN),
        .LAST(LAST),
        .FILE(FILE)
    ) powers (
        .clock(clock),
        .address(index_of_power[INDEX-1:0]),
        .word(power)
    );

    always @(posedge clock) begin
        if (reset) begin
            found <= 0;
            added <= 0;
            scaled <= 0;
        end else begin
            found <= {found[1:0], phase == FIND};
            added <= {added[4:0], phase == ADD};
            scaled <= {scaled[9:0], phase == SCALE};
        end
        if (phase == BEGIN) highest <= -8'sd128;
        else if (found[2] && $signed(x) > highest) highest <= x;
        distance <= highest - x;
    end

    /* the sum, in Q12.19, then shifted so that its highest bit is set */
    reg [31:0] total = 0;
    reg [3:0] zeros = 0;

    always @(posedge clock)
        if (phase == BEGIN) begin
            total <= 0;
            zeros <= 0;
        end else if (added[5]) total <= total + {13'd0, power[30:12]} + {31'd0, power[11]};
        else if (phase == INVERT && cycle >= SUMMED && cycle < NORMAL && ~total[31]) begin
            total <= {total[30:0], 1'b0};
            zeros <= zeros + 1'b1;
        end

    /* products: operands in cycle 1, the rounded upper half in 4 */
    reg signed [31:0] a = 0;
    reg signed [31:0] b = 0;
    reg signed [47:0] low = 0;
    reg signed [47:0] high = 0;
    reg signed [48:0] whole = 0;
    reg signed [31:0] product = 0;
    reg signed [31:0] x_guess = 0;
    reg signed [31:0] rest = 0;
    reg [2:0] tick = 0;
    reg [2:0] step = 0;
    wire [31:0] half = {1'b0, total[31:1]};
    wire [30:0] factor = x_guess[30] ? 31'h7fffffff : {x_guess[29:0], 1'b0};
    wire signed [48:0] nudged = whole + 49'sd16384;
    wire unused = &{1'b0, low[15:0], nudged[48:47], nudged[14:0], power, index_of_power, result};

    always @(posedge clock) begin
        if (phase != INVERT || cycle < NORMAL) begin
            tick <= 0;
            step <= 0;
        end else if (tick == 4) begin
            tick <= 0;
            step <= step + 1'b1;
        end else tick <= tick + 1'b1;

        if (phase != INVERT) begin
            a <= {1'b0, power};
            b <= {1'b0, factor};
        end else if (step[0] || step == 0) begin
            a <= half;
            b <= step == 0 ? MINUS_32_17 : x_guess;
        end else begin
            a <= x_guess;
            b <= rest;
        end
        low <= $signed({{16{a[31]}}, a}) * $signed({32'd0, b[15:0]});
        high <= $signed({{16{a[31]}}, a}) * $signed({{32{b[31]}}, b[31:16]});
        whole <= $signed({{17{low[47]}}, low[47:16]}) + $signed({high[47], high});
        product <= nudged[46:15];

        if (phase == INVERT && tick == 4) begin
            if (step == 0) x_guess <= HALF_OF_48_17 + product;
            else if (step[0]) rest <= 32'sd536870912 - product;
            else x_guess <= x_guess + {product[29:0], 2'b00};
        end
    end

    /* results: times 2 ** -min(35 - zeros, 31), ties upwards */
    reg [8:0] twice = 0;
    wire [8:0] upper = product[30:22];
    wire [3:0] right = zeros < 4 ? 4'd8 : 4'd12 - zeros;
    wire [8:0] result = {1'b0, twice[8:1]} + {8'd0, twice[0]};

    always @(posedge clock) begin
        twice <= upper >> right;
        write <= scaled[10] & ~reset;
        write_byte <= {~(result[7] ^ result[8]), result[6:0] | {7{result[8]}}};
        if (phase == BEGIN && ~under_way) place <= target;
        else if (write) place <= place + 1'b1;
    end
endmodule
