"""What a chip cannot be asked for, by name, before anything is planned."""

from __future__ import annotations

from s2c.errors import CompileError, Problem, error
from s2c.ir import Graph
from s2c.silicon.datapath import make_lanes
from s2c.target import Target

DATAPATH, STREAM = STYLES = ("datapath", "stream")

# Of Verilog and SystemVerilog, which some tools read Verilog as; those that C, too, reserves are left out.
RESERVED = frozenset(
    (
        "accept_on alias always always_comb always_ff always_latch and assign automatic before begin bind "
        "bins binsof bit buf bufif0 bufif1 byte casex casez cell chandle checker clocking cmos config "
        "constraint context cover covergroup coverpoint cross deassign defparam design disable dist edge "
        "end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup "
        "endinterface endmodule endpackage endprimitive endprogram endproperty endsequence endspecify "
        "endtable endtask event eventually expect export extends final first_match force foreach forever "
        "fork forkjoin function generate genvar global highz0 highz1 iff ifnone ignore_bins illegal_bins "
        "implements implies import incdir include initial inout input inside instance integer "
        "interconnect interface intersect join join_any join_none large let liblist library local "
        "localparam logic longint macromodule matches medium modport module nand negedge nettype nexttime "
        "nmos nor noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge "
        "primitive priority program property protected pull0 pull1 pulldown pullup pulsestyle_ondetect "
        "pulsestyle_onevent pure rand randc randcase randsequence rcmos real realtime ref reg reject_on "
        "release repeat restrict rnmos rpmos rtran rtranif0 rtranif1 s_always s_eventually s_nexttime "
        "s_until s_until_with scalared sequence shortint shortreal showcancelled small soft solve specify "
        "specparam strong strong0 strong1 super supply0 supply1 sync_accept_on sync_reject_on table "
        "tagged task throughout timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior "
        "trireg type unique unique0 unsigned until until_with untyped use uwire var vectored virtual wait "
        "wait_order wand weak weak0 weak1 wildcard wire with within wor xnor xor"
    ).split()
)


def refuse_name(name: str) -> None:
    """name: of the top module."""
    if name.lower() in RESERVED:
        raise error("--name", "a name that Verilog leaves free", name, "choose another, such as my_net")


def refuse_flags(
    target: Target,
    lanes: int | None,
    reproducible: bool,
    threads: int,
    precision: str,
    tune: bool,
    style: str = DATAPATH,
) -> None:
    """Raises CompileError with every flag that means nothing for hardware, and lanes that cannot be built: a
    pipeline shares any number of them out."""
    problems: list[Problem] = []
    given = {
        "--reproducible": ("floats, whose bits it is about", reproducible),
        "--threads": ("a program that threads can share", threads != 1),
        "--precision": ("floats, whose bits it is about", precision != "f32"),
        "--tune": ("kernels to choose from by time", tune),
    }
    for flag, (wanted, is_given) in given.items():
        if is_given:
            problems.append(Problem(flag, wanted, f"{target.name}, which is a chip", "leave it out"))
    if style not in STYLES:
        problems.append(Problem("--style", f"one of {', '.join(STYLES)}", style, "name one of these"))
    if lanes is not None and style == DATAPATH:
        try:
            make_lanes(lanes)
        except CompileError as problem:
            problems += problem.problems
    if problems:
        raise CompileError(tuple(problems))


def refuse_wheel(target: Target) -> None:
    """What Python would load of a chip is its model, which is not the net that was asked for."""
    if target.is_chip:
        do = "compile with --target host; s2c bench counts the cycles of this one"
        raise error("wheel", "a net for this machine", f"one for {target.name}", do)


def refuse_states(target: Target, graph: Graph) -> None:
    """Raises CompileError with every state."""
    do = "hand it in and out as an input and an output, or compile for host or cortex-m4"
    problems = [
        Problem(each.node.layer, f"a net that keeps nothing between calls for {target.name}", "state", do)
        for each in graph.states
    ]
    if problems:
        raise CompileError(tuple(problems))
