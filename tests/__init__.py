"""Everything that is tested, from single decisions to whole journeys against real third-party programs."""
