/* When frames come, and when they go into the pipeline: `complete` says that this cycle takes a frame's last byte; it is launched
   in the next, or as soon as INTERVAL cycles are over since the launch before, and `full`, that no output has room for another
   frame, is 0. Bytes of a frame are taken from the cycle on in which the frame before is launched. under_way: frames that are launched
   and not finished. clear: all begins anew, in the cycle behind one with reset, and in the very first. */
module s2c_launcher #(
    parameter INTERVAL = 1,
    parameter BITS = 1
) (
    input wire clock,
    input wire reset,
    input wire in_valid,
    input wire complete,
    input wire full,
    input wire under_way,
    output reg clear,
    output wire in_ready,
    output wire accept,
    output wire launch,
    output wire busy
);
    localparam [31:0] BETWEEN = INTERVAL - 1;

    reg waits;
    reg [BITS-1:0] left;

    assign launch = waits & ~full & (left == 0);
    assign in_ready = ~clear & (~waits | launch);
    assign accept = in_valid & in_ready;
    assign busy = waits | under_way;

    initial begin
        clear = 1;
        waits = 0;
        left = 0;
    end

    always @(posedge clock) begin
        clear <= reset;

        if (clear) waits <= 0;
        else waits <= complete | (waits & ~launch);

        if (clear) left <= 0;
        else if (launch) left <= BETWEEN[BITS-1:0];
        else if (left != 0) left <= left - 1'b1;
    end
endmodule
