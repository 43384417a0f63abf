"""How programs run fast: Python writes LLVM IR for the exact shapes at hand, and runs it."""
