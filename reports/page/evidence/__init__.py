"""What nets learned, as pictures: answers, surfaces, texts."""
