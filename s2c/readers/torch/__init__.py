"""torch modules and .pt2 files to Graphs."""

from s2c.readers.torch.file import load_torch_file, save_module, write_module
from s2c.readers.torch.reader import load_module, load_program

__all__ = ["load_module", "load_program", "load_torch_file", "save_module", "write_module"]
