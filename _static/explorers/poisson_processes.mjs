export const defaults = {"rate": 6, "hours": 1, "keep": 0.5, "arrivals": "independent", "seed": 1};
