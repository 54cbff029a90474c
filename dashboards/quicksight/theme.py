"""The look: quiet grounds, one colour that leads, and a palette that the colour-blind can tell apart."""

# Okabe and Ito's palette, its yellow darkened for a white ground, led by the board's blue.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#B38600", "#7A5195", "#5C6B73")
FEW, MUCH = "#DCEBF5", "#0072B2"  # ends of a scale
INK, FAINT, GROUND, LINES = "#16202A", "#5B6773", "#FFFFFF", "#E3E8ED"
GOOD, BAD, WARNING = "#007A5A", "#C0392B", "#B38600"

THEME = {
    "BaseThemeId": "CLASSIC",
    "Configuration": {
        "DataColorPalette": {"Colors": list(COLOURS), "MinMaxGradient": [FEW, MUCH], "EmptyFillColor": "#EEF1F4"},
        "UIColorPalette": {
            "PrimaryForeground": INK,
            "PrimaryBackground": GROUND,
            "SecondaryForeground": FAINT,
            "SecondaryBackground": "#F5F7F9",
            "Accent": COLOURS[0],
            "AccentForeground": "#FFFFFF",
            "Danger": BAD,
            "DangerForeground": "#FFFFFF",
            "Warning": WARNING,
            "WarningForeground": "#FFFFFF",
            "Success": GOOD,
            "SuccessForeground": "#FFFFFF",
            "Dimension": INK,
            "DimensionForeground": "#FFFFFF",
            "Measure": COLOURS[0],
            "MeasureForeground": "#FFFFFF",
        },
        "Sheet": {
            "Tile": {"Border": {"Show": True}},
            "TileLayout": {"Gutter": {"Show": True}, "Margin": {"Show": True}},
        },
        "Typography": {"FontFamilies": [{"FontFamily": "Amazon Ember"}, {"FontFamily": "sans-serif"}]},
    },
}
