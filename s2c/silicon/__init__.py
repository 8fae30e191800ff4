"""Plans as programs of a chip: one datapath of int8 lanes, a fixed microprogram, and what it costs."""
