"""Exports of layers: parts of videos and single frames, made as jobs and kept for as long as was asked.

``parameters`` reads what is wanted, ``operations`` does it in an instance (``cutting`` and ``frames`` with
FFmpeg), ``keeping`` lets it be found until it expires, ``resources`` has the URLs.
"""
