export const defaults = {"surface": "bowl", "view": "slopes", "x": 1, "y": 2, "theta": 53};
