/* The chip with the names of AXI-Stream: bytes, the inputs one after the other; tlast goes with the outputs' last byte. What
   tlast says of the inputs does not matter. */
/* the file is named as the chip is */ /* verilator lint_off DECLFILENAME */
`default_nettype none

module s2c_chip_axi (
    input wire aclk,
    input wire aresetn,
    input wire s_axis_tvalid,
    output wire s_axis_tready,
    input wire [7:0] s_axis_tdata,
    output wire m_axis_tvalid,
    input wire m_axis_tready,
    output wire [7:0] m_axis_tdata,
    output wire m_axis_tlast,
    output wire busy
);
    localparam [31:0] BYTES = s2c_OUTPUT_BYTES;

    reg [31:0] left = BYTES;

    assign m_axis_tlast = left == 1;

    always @(posedge aclk)
        if (~aresetn) left <= BYTES;
        else if (m_axis_tvalid & m_axis_tready) left <= m_axis_tlast ? BYTES : left - 1'b1;

    s2c_chip chip (
        .clock(aclk),
        .reset(~aresetn),
        .in_valid(s_axis_tvalid),
        .in_ready(s_axis_tready),
        .in_data(s_axis_tdata),
        .out_valid(m_axis_tvalid),
        .out_ready(m_axis_tready),
        .out_data(m_axis_tdata),
        .busy(busy)
    );
endmodule

`default_nettype wire
