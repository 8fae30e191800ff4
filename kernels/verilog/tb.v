/* Feeds the chip with runs of inputs from a file of hexadecimals, one byte a line, and prints of each run a line: `result`, its
   outputs, in hexadecimals, its cycles: from the one that takes the last byte up to the one in which it is no longer busy; and those
   since the last byte of the result before, or 0.
   +inputs=FILE +runs=N; +limit=N: cycles of a run, input and output among them, after which it ends with what there is; +stall:
   bytes come and go only now and then; +stream: the next run's bytes come at once, and not only when the outputs are there: then
   the first number says nothing. */
`default_nettype none

module s2c_chip_tb;
    localparam INPUT_BYTES = s2c_INPUT_BYTES;
    localparam OUTPUT_BYTES = s2c_OUTPUT_BYTES;

    reg clock = 0;
    reg reset = 1;
    reg in_valid = 0;
    reg [7:0] in_data = 0;
    reg out_ready = 0;
    wire in_ready;
    wire out_valid;
    wire [7:0] out_data;
    wire busy;

    s2c_chip chip (
        .clock(clock),
        .reset(reset),
        .in_valid(in_valid),
        .in_ready(in_ready),
        .in_data(in_data),
        .out_valid(out_valid),
        .out_ready(out_ready),
        .out_data(out_data),
        .busy(busy)
    );

    reg [8*1024-1:0] path;
    integer file;
    integer scanned;
    integer runs = 1;
    integer done = 0;
    integer given = 0;
    integer fed = 0;
    integer before = 0;
    integer taken = 0;
    integer cycle = 0;
    integer now = 0;
    integer limit = 0;
    integer left = 0;
    reg [7:0] read = 0;
    reg stall = 0;
    reg stream = 0;
    reg counting = 0;

    always #1 clock = ~clock;

    initial begin
        if ($value$plusargs("inputs=%s", path) == 0) $finish;
        if ($value$plusargs("runs=%d", runs) == 0) runs = 1;
        if ($value$plusargs("limit=%d", limit) == 0) limit = 1 << 30;
        left = limit;
        if ($test$plusargs("stall") != 0) stall = 1;
        if ($test$plusargs("stream") != 0) stream = 1;
        file = $fopen(path, "r");
    end

    always @(posedge clock) begin
        now <= now + 1;
        reset <= now < 3;

        if (in_valid & in_ready) given = given + 1;
        if (given == INPUT_BYTES & in_valid & in_ready) begin
            counting <= 1;
            cycle <= 1;
            fed = fed + 1;
            if (stream & fed < runs) given = 0;
        end else if (counting & busy) cycle <= cycle + 1;
        else counting <= 0;

        if ((in_valid & in_ready) | ~in_valid) begin
            in_valid <= 0;
            if (~reset & given < INPUT_BYTES & (~stall | now % 3 == 0)) begin
                scanned = $fscanf(file, "%h", read);
                in_data <= read;
                in_valid <= 1;
            end
        end

        out_ready <= ~stall | now % 3 == 1;
        if (out_valid & out_ready) begin
            if (taken == 0) $write("result ");
            $write("%h", out_data);
            taken = taken + 1;
            if (taken == OUTPUT_BYTES) begin
                $write(" %0d %0d\n", cycle, done == 0 ? 0 : now - before);
                $fflush;
                before = now;
                left = limit;
                taken = 0;
                if (~stream) given = 0;
                done = done + 1;
                if (done == runs) $finish;
            end
        end

        left = left - 1;
        if (left < 0) begin
            if (taken == 0) $write("result ");
            $write(" %0d 0\n", cycle);
            $finish;
        end
    end
endmodule

`default_nettype wire
