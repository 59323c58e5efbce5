export const defaults = {"m": 0.8, "s": 1.0, "n": 1000, "lam": 0.5, "seed": 1};
